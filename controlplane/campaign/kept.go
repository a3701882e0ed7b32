package campaign

// kept is a valid ad until the document is put together. It takes much less memory than a Campaign, which has room for fields that few
// ads have: of a large document, what is written once more is most of the work.
type kept struct {
	text          string // the id, and behind it the video_url
	country, lang string
	optional      *Campaign // has the ad's optional fields alone; nil if it has none
	index         uint32    // place in its part; the table of repeats counts in 32 bits, too

	idBytes, startHour, endHour uint8
}

// keep returns the last ad, which must be valid.
func (a *ad) keep(index int) kept {
	k := kept{
		text: a.strings.keep(a.id, a.url), country: a.country, lang: a.lang, index: uint32(index),
		idBytes: uint8(len(a.id)), startHour: uint8(a.startHour), endHour: uint8(a.endHour),
	}
	if a.extended {
		k.optional = a.keepOptional()
	}
	return k
}

func (k *kept) id() string { return k.text[:k.idBytes] }

// campaign makes the ad the campaign c, which must be zero. Places count from first.
func (k *kept) campaign(c *Campaign, first int) {
	if k.optional != nil {
		*c = *k.optional
	} else {
		c.Weight = MinWeight
	}
	c.ID, c.VideoURL, c.Country, c.Lang = k.id(), k.text[k.idBytes:], k.country, k.lang
	c.StartHour, c.EndHour, c.Index = int(k.startHour), int(k.endHour), first+int(k.index)
}
