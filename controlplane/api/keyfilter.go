package api

import (
	"net/url"

	"adsidecar/controlplane/campaign"
)

// keyFilter says of which country and language something is to be, in canonical form; empty parts let all pass, and * is that of what is for all.
type keyFilter struct{ country, lang string }

// readKeyFilter reads the parameters country and lang: any code of a language stands for it.
func readKeyFilter(q url.Values) (f keyFilter, err error) {
	for _, p := range []struct {
		name  string
		to    *string
		parse func(string) (string, error)
	}{{"country", &f.country, campaign.ParseCountry}, {"lang", &f.lang, campaign.ParseLang}} {
		value := q.Get(p.name)
		if value == "" || value == campaign.Any {
			*p.to = value
			continue
		}
		if *p.to, err = p.parse(value); err != nil {
			return keyFilter{}, badField(p.name, p.name+" must be a code of letters, or *.")
		}
	}
	return f, nil
}

func (f keyFilter) has(country, lang string) bool {
	return (f.country == "" || f.country == country) && (f.lang == "" || f.lang == lang)
}
