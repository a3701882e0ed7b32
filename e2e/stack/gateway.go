package stack

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"gopkg.in/yaml.v3"
)

// TrustedIssuer is an entry of the gateway's issuers. Empty fields are left to the gateway's defaults.
type TrustedIssuer struct {
	Issuer           string   `yaml:"issuer"`
	JWKSURL          string   `yaml:"jwks_url"`
	ClientIDs        []string `yaml:"client_ids"`
	TokenUses        []string `yaml:"token_uses,omitempty"`
	JWKSCache        string   `yaml:"jwks_cache,omitempty"` // "6s" is the least
	MaxTokenLifetime string   `yaml:"max_token_lifetime,omitempty"`
}

// Trust is the entry for an issuer of this package.
func Trust(i *Issuer, clientIDs ...string) TrustedIssuer {
	return TrustedIssuer{Issuer: i.Name, JWKSURL: i.JWKSURL(), ClientIDs: clientIDs}
}

// errNoFurther is returned for a second Envoy or control plane where the configuration is a file.
var errNoFurther = errors.New("a GatewayFile has the ports of one Envoy and one control plane: use Options.Gateway for more")

// addresses are what differs between the gateway files of one stack's processes. All are host:port.
type addresses struct {
	listener, envoyAdmin, xds, admin string
}

// gatewayFile writes the gateway's YAML for one process: what the stack knows, and over it what the test wants. Maps are merged key by
// key, anything else is replaced.
func (s *Stack) gatewayFile(path string, a addresses, state string) error {
	doc := map[string]any{
		"listener":  map[string]any{"address": a.listener},
		"issuers":   s.issuers,
		"ads":       map[string]any{"module": s.module},
		"campaigns": map[string]any{"url": s.sourceURL, "poll_interval": s.opts.PollInterval.String(), "state_dir": state},
		"xds":       map[string]any{"address": a.xds},
		"admin":     map[string]any{"address": a.admin},
		"envoy":     map[string]any{"admin_address": a.envoyAdmin},
	}
	over := map[string]any{}
	if err := yaml.Unmarshal([]byte(s.opts.Gateway), &over); err != nil {
		return fmt.Errorf("read Options.Gateway: %w", err)
	}
	merge(doc, over)
	text, err := yaml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the gateway's file: %w", err)
	}
	return nil
}

// merge puts over onto base. A null removes a key.
func merge(base, over map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(over)) {
		value := over[key]
		below, isMap := value.(map[string]any)
		if old, ok := base[key].(map[string]any); ok && isMap {
			merge(old, below)
			continue
		}
		if value == nil {
			delete(base, key)
			continue
		}
		base[key] = value
	}
}
