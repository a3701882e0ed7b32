package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"gopkg.in/yaml.v3"
)

// bootstrap is an Envoy's, as `adsidecar bootstrap --static` prints it. Contenders differ from ours in what is changed here and in nothing
// else, so that the chain before the ad filter is the same. What is looked for and not there is an error of the next write.
type bootstrap struct {
	doc map[string]any
	err error
}

// The names that the gateway gives.
const (
	adRouteName  = "ad_request"
	adFilterName = "adsidecar"
)

func parseBootstrap(text []byte) (*bootstrap, error) {
	b := &bootstrap{}
	if err := yaml.Unmarshal(text, &b.doc); err != nil {
		return nil, fmt.Errorf("read a bootstrap: %w", err)
	}
	return b, nil
}

func (b *bootstrap) text() ([]byte, error) {
	if b.err != nil {
		return nil, fmt.Errorf("change a bootstrap: %w", b.err)
	}
	return yaml.Marshal(b.doc)
}

// at follows names and places downwards. An empty map stands for what is not there.
func (b *bootstrap) at(from any, path ...any) any {
	for _, step := range path {
		var next any
		switch s := step.(type) {
		case string:
			m, _ := from.(map[string]any)
			next = m[s]
		case int:
			if l, _ := from.([]any); s < len(l) {
				next = l[s]
			}
		}
		if next == nil {
			b.err = errors.Join(b.err, fmt.Errorf("there is no %v of %v", step, path))
			return map[string]any{}
		}
		from = next
	}
	return from
}

// object is at, of an object.
func (b *bootstrap) object(from any, path ...any) map[string]any {
	m, ok := b.at(from, path...).(map[string]any)
	if !ok {
		b.err = errors.Join(b.err, fmt.Errorf("%v is no object", path))
		return map[string]any{}
	}
	return m
}

// list is at, of a list.
func (b *bootstrap) list(from any, path ...any) []any {
	l, ok := b.at(from, path...).([]any)
	if !ok {
		b.err = errors.Join(b.err, fmt.Errorf("%v is no list", path))
	}
	return l
}

// ports gives the Envoy its own ports.
func (b *bootstrap) ports(listener, admin int) {
	b.object(b.doc, "static_resources", "listeners", 0, "address", "socket_address")["port_value"] = listener
	b.object(b.doc, "admin", "address", "socket_address")["port_value"] = admin
}

func (b *bootstrap) manager() map[string]any {
	return b.object(b.doc, "static_resources", "listeners", 0, "filter_chains", 0, "filters", 0, "typed_config")
}

// adRoutes are the routes of the ad request, one for each stage prefix and one without.
func (b *bootstrap) adRoutes() []map[string]any {
	var routes []map[string]any
	for _, r := range b.list(b.manager(), "route_config", "virtual_hosts", 0, "routes") {
		if route := b.object(r); route["name"] == adRouteName {
			routes = append(routes, route)
		}
	}
	if len(routes) == 0 {
		b.err = errors.Join(b.err, errors.New("there is no ad route"))
	}
	return routes
}

// direct has Envoy's own constant answer instead of the filter's.
func (b *bootstrap) direct(body string) {
	for _, route := range b.adRoutes() {
		delete(route, "route")
		delete(route, "typed_per_filter_config")
		route["direct_response"] = map[string]any{"status": 200, "body": map[string]any{"inline_string": body}}
		route["response_headers_to_add"] = append(b.list(route, "response_headers_to_add"), map[string]any{
			"header":        map[string]any{"key": "content-type", "value": "application/json"},
			"append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
		})
	}
}

// withoutModule takes the ad filter out of the chain, so that nothing compiles it.
func (b *bootstrap) withoutModule() {
	var filters []any
	for _, f := range b.list(b.manager(), "http_filters") {
		if b.object(f)["name"] != adFilterName {
			filters = append(filters, f)
		}
	}
	b.manager()["http_filters"] = filters
}

// upstream has an HTTP/1.1 service answer instead of the filter.
func (b *bootstrap) upstream(port int) {
	for _, route := range b.adRoutes() {
		delete(route, "typed_per_filter_config")
		b.object(route, "route")["cluster"] = "service"
	}
	resources := b.object(b.doc, "static_resources")
	resources["clusters"] = append(b.list(resources, "clusters"), map[string]any{
		"name": "service", "type": "STATIC", "connect_timeout": "1s",
		"load_assignment": map[string]any{"cluster_name": "service", "endpoints": []any{map[string]any{
			"lb_endpoints": []any{map[string]any{"endpoint": map[string]any{
				"address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": port}},
			}}},
		}}},
	})
}

// lua has an Envoy Lua filter in the place of the ad filter.
func (b *bootstrap) lua(script string) {
	const api = "type.googleapis.com/envoy.extensions.filters.http.lua.v3."
	found := false
	for _, f := range b.list(b.manager(), "http_filters") {
		if filter := b.object(f); filter["name"] == adFilterName {
			found = true
			maps.DeleteFunc(filter, func(key string, _ any) bool { return key != "name" && key != "disabled" })
			filter["typed_config"] = map[string]any{
				"@type": api + "Lua", "source_codes": map[string]any{"ads": map[string]any{"filename": script}},
			}
		}
	}
	if !found {
		b.err = errors.Join(b.err, errors.New("there is no ad filter"))
	}
	for _, route := range b.adRoutes() {
		b.object(route, "typed_per_filter_config", adFilterName)["config"] = map[string]any{"@type": api + "LuaPerRoute", "name": "ads"}
	}
	// Envoy gives its own errors a body by this rule, which knows them by their details. Our filter's replies have none, Lua's have these.
	b.replace(b.manager(), "response.code_details != ''", "response.code_details != 'lua_response'")
}

// replace replaces a text wherever it is the whole of a value.
func (b *bootstrap) replace(in any, text, by string) {
	switch in := in.(type) {
	case map[string]any:
		for key, value := range in {
			if value == text {
				in[key] = by
			}
			b.replace(value, text, by)
		}
	case []any:
		for _, value := range in {
			b.replace(value, text, by)
		}
	}
}

// luaScript is the script for a table.
func luaScript(table string) string { return strings.Replace(adsLua, "@TABLE@", table, 1) }
