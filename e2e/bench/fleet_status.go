package main

// fleetStatus is what is read of the control plane's status.
type fleetStatus struct {
	XDS struct {
		Types []struct {
			Type    string      `json:"type"`
			Offered *fleetOffer `json:"offered"`
		} `json:"types"`
		Envoys []struct {
			Connected bool `json:"connected"`
			Types     []struct {
				Type   string `json:"type"`
				Sent   string `json:"sent"`
				InSync bool   `json:"in_sync"`
			} `json:"types"`
		} `json:"envoys"`
	} `json:"xds"`
}

type fleetOffer struct {
	Version      string `json:"version"`
	Acknowledged int    `json:"acknowledged"`
}

func (s *fleetStatus) index() fleetOffer {
	for _, t := range s.XDS.Types {
		if t.Type == "ecds" && t.Offered != nil {
			return *t.Offered
		}
	}
	return fleetOffer{}
}

func (s *fleetStatus) connected() int {
	n := 0
	for _, e := range s.XDS.Envoys {
		if e.Connected {
			n++
		}
	}
	return n
}

// inSync counts those that are known to have all of the three types as they are on offer.
func (s *fleetStatus) inSync() int {
	n := 0
	for _, e := range s.XDS.Envoys {
		synced := 0
		for _, t := range e.Types {
			if t.InSync {
				synced++
			}
		}
		if e.Connected && synced == 3 {
			n++
		}
	}
	return n
}

// sent counts those that were sent this version of the index last.
func (s *fleetStatus) sent(version string) int {
	n := 0
	for _, e := range s.XDS.Envoys {
		for _, t := range e.Types {
			if e.Connected && t.Type == "ecds" && t.Sent == version {
				n++
			}
		}
	}
	return n
}
