package compile

import "adsidecar/controlplane/campaign"

const dayHours = 24

// hourSet has bit h set for each hour h of the UTC day at which a campaign runs.
type hourSet uint32

func hoursOf(c *campaign.Campaign) hourSet {
	if uint(c.StartHour) < uint(len(windows)) && uint(c.EndHour) < uint(len(windows[0])) {
		return windows[c.StartHour][c.EndHour]
	}
	return runs(c)
}

// windows are the hours of every window that Decode lets pass.
var windows = func() (w [campaign.MaxStartHour + 1][campaign.MaxEndHour + 1]hourSet) {
	for start := range w {
		for end := range w[start] {
			w[start][end] = runs(&campaign.Campaign{StartHour: start, EndHour: end})
		}
	}
	return w
}()

func runs(c *campaign.Campaign) hourSet {
	var s hourSet
	for h := range dayHours {
		if c.ActiveAt(h) {
			s |= 1 << h
		}
	}
	return s
}
