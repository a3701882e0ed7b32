package counters

import "adsidecar/envoy"

// A counter is one of those that are kept.
type counter int

const (
	served counter = iota
	noAd
	badRequest
	unavailable
	internal
	unauthorized
	forbidden
	rateLimited
	requests
	answered2xx
	answered3xx
	answered4xx
	answered5xx
	counterCount
)

// A gauge is one of those that are kept.
type gauge int

const (
	uptime gauge = iota // seconds
	live
	memoryAllocated // bytes
	memoryPhysical  // bytes
	activeConnections
	activeRequests
	ads
	sourceTime // Unix seconds
	gaugeCount
)

const (
	filterStats   = "wasmcustom.adsidecar." // Envoy's prefix and the filter's own
	listenerStats = "http." + envoy.ListenerName + "."
)

// The names are those of Envoy's /stats, without tags taken out.
var (
	counterNames = map[string]counter{
		filterStats + "served":                                    served,
		filterStats + "no_ad":                                     noAd,
		filterStats + "bad_request":                               badRequest,
		filterStats + "unavailable":                               unavailable,
		filterStats + "internal":                                  internal,
		listenerStats + "jwt_authn.denied":                        unauthorized,
		listenerStats + "rbac.denied":                             forbidden,
		envoy.SignInLimit + ".http_local_rate_limit.rate_limited": rateLimited,
		listenerStats + "downstream_rq_total":                     requests,
		listenerStats + "downstream_rq_2xx":                       answered2xx,
		listenerStats + "downstream_rq_3xx":                       answered3xx,
		listenerStats + "downstream_rq_4xx":                       answered4xx,
		listenerStats + "downstream_rq_5xx":                       answered5xx,
	}
	gaugeNames = map[string]gauge{
		"server.uptime":                        uptime,
		"server.live":                          live,
		"server.memory_allocated":              memoryAllocated,
		"server.memory_physical_size":          memoryPhysical,
		listenerStats + "downstream_cx_active": activeConnections,
		listenerStats + "downstream_rq_active": activeRequests,
		filterStats + "ads":                    ads,
		filterStats + "source_time":            sourceTime,
	}
)

// Counts are numbers of requests, in all (uint64) or a second (float64). The first five are ad requests by their answer and exclude each
// other; the next three are requests of any path that were refused before that; the last five are all requests of the listener.
type Counts[N uint64 | float64] struct {
	Served       N `json:"served"`       // 200
	NoAd         N `json:"no_ad"`        // 404
	BadRequest   N `json:"bad_request"`  // 400, 405, 414
	Unavailable  N `json:"unavailable"`  // 503, no index yet
	Internal     N `json:"internal"`     // 500
	Unauthorized N `json:"unauthorized"` // token missing or not valid
	Forbidden    N `json:"forbidden"`    // token of another client or use
	RateLimited  N `json:"rate_limited"` // too many sign-ins from an address
	Requests     N `json:"requests"`     // begun
	Answered2xx  N `json:"answered_2xx"`
	Answered3xx  N `json:"answered_3xx"`
	Answered4xx  N `json:"answered_4xx"`
	Answered5xx  N `json:"answered_5xx"`
}

func newCounts[N uint64 | float64](v [counterCount]N) Counts[N] {
	return Counts[N]{
		Served: v[served], NoAd: v[noAd], BadRequest: v[badRequest], Unavailable: v[unavailable], Internal: v[internal],
		Unauthorized: v[unauthorized], Forbidden: v[forbidden], RateLimited: v[rateLimited],
		Requests: v[requests], Answered2xx: v[answered2xx], Answered3xx: v[answered3xx], Answered4xx: v[answered4xx], Answered5xx: v[answered5xx],
	}
}
