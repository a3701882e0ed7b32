package stack

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// errNoFurther is returned for a second Envoy, control plane or user service where the configuration is a file.
var errNoFurther = errors.New("a GatewayFile has the ports of one process of each kind: leave it out for more")

// addresses are what differs between the gateway files of one stack's processes. All are host:port.
type addresses struct {
	listener, envoyAdmin, xds, admin string
	users                            string // of a user service's own file
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
	if s.opts.Users != nil {
		doc["users"] = s.usersSection(a.users)
	}
	return s.writeGateway(path, doc)
}

// overlayGatewayFile puts what the stack and the test want over the GatewayFile, in a copy. Where there is nothing to put, the file is
// used itself, and findings name its lines.
func (s *Stack) overlayGatewayFile() error {
	s.config = s.opts.GatewayFile
	onDynamoDB := s.opts.Users != nil && s.opts.Users.Store == DynamoDB
	if s.config == "" || s.opts.Gateway == "" && !onDynamoDB {
		return nil
	}
	text, err := os.ReadFile(s.opts.GatewayFile)
	if err != nil {
		return fmt.Errorf("read the gateway's file: %w", err)
	}
	doc := map[string]any{}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("read the gateway's file: %w", err)
	}
	if onDynamoDB {
		store := s.usersStore()
		store["file"] = nil
		merge(doc, map[string]any{"users": map[string]any{"store": store}})
	}
	s.config = filepath.Join(s.Dir, "gateway.yaml")
	return s.writeGateway(s.config, doc)
}

// writeGateway writes doc with Options.Gateway over it.
func (s *Stack) writeGateway(path string, doc map[string]any) error {
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
