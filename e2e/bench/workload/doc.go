// Package workload makes the documents of campaigns that the benchmarks read, the same for the same [Config] on every machine.
//
// The distribution is meant to be harder than a real one:
//
//   - a document has [Keys] keys (250 countries, 80 languages), each with at least one ad;
//   - [Config.Hot] keys have [HotAds] ads each;
//   - the other ads fall on keys by Zipf's law with exponent 1.1, and no key has more than HotAds: with 1,000,000 ads, the next
//     key has 7,536, the thousandth 108 and the last one 1;
//   - an id is 32 bytes of hexadecimal digits in no order, a URL 60 bytes, and neither needs an escape in JSON;
//   - one ad of five runs all day; the windows of the others begin and end at any hour, across midnight too;
//   - the ads of a key lie scattered over the document, an ad on a line, about 175 bytes each.
//
// [Config.Revision] is in every id, so that an answer tells which document it comes from. Two revisions differ in nothing else.
package workload
