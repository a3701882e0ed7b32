package api

import (
	"net/http"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/counters"
	"adsidecar/controlplane/xds"
)

func (s *server) fleet(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	return c.write(http.StatusOK, s.describeFleet())
}

// typeNames are the types of xDS as the API calls them.
var typeNames = map[string]string{"lds": "listeners", "cds": "clusters", "ecds": "index"}

func (s *server) describeFleet() apiv1.Fleet {
	status := s.Fleet.Status()
	rates, all := s.rates()
	f := apiv1.Fleet{Envoys: []apiv1.Envoy{}, Rates: all}
	for _, t := range status.Types {
		if t.Type == "ecds" && t.Offered != nil {
			f.Version = t.Offered.Version
		}
	}
	for _, e := range status.Envoys {
		envoy := apiv1.Envoy{Node: e.Node, Address: e.Address, Connected: e.Connected, Since: e.ConnectedSince, Types: []apiv1.OfType{}, Rates: rates[e.Node]}
		inSync := true
		for _, t := range e.Types {
			envoy.Types = append(envoy.Types, describeType(t))
			inSync = inSync && t.InSync
		}
		switch {
		case !e.Connected:
			envoy.Since = e.Disconnected
			f.Gone++
		case inSync:
			f.InSync++
		default:
			f.Behind++
		}
		f.Envoys = append(f.Envoys, envoy)
	}
	return f
}

func describeType(t xds.EnvoyOfType) apiv1.OfType {
	of := apiv1.OfType{Type: t.Type, Version: t.Acknowledged, InSync: t.InSync, Since: t.Since}
	if name, ok := typeNames[t.Type]; ok {
		of.Type = name
	}
	if t.LastAck != nil {
		of.LastAckAge = &t.LastAck.Age
	}
	if t.LastNack != nil {
		of.LastNack, of.NackText, of.Rejecting = t.LastNack.At, t.LastNack.Text, t.LastNack.Current
	}
	return of
}

// rates are the Envoys' by node id, and the fleet's; nil where there are none.
func (s *server) rates() (map[string]*apiv1.Rates, *apiv1.Rates) {
	if s.Counters == nil {
		return nil, nil
	}
	status := s.Counters.Status()
	byNode := map[string]*apiv1.Rates{}
	for _, e := range status.Envoys {
		byNode[e.Node] = describeRates(e.PerSecond)
	}
	return byNode, describeRates(status.PerSecond)
}

func describeRates(c *counters.Counts[float64]) *apiv1.Rates {
	if c == nil {
		return nil
	}
	return &apiv1.Rates{
		Served: c.Served, NoAd: c.NoAd, BadRequest: c.BadRequest, Unavailable: c.Unavailable, Internal: c.Internal,
		Unauthorized: c.Unauthorized, Forbidden: c.Forbidden, RateLimited: c.RateLimited,
	}
}
