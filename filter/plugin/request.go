package plugin

import (
	"fmt"
	"runtime/debug"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// httpContext answers the requests of one plugin context. It keeps nothing about a request, so one value serves all.
type httpContext struct {
	types.DefaultHttpContext

	plugin *pluginContext
}

var _ types.HttpContext = (*httpContext)(nil)

// answer is a reply and the counter that counts it.
type answer struct {
	adrequest.Reply

	counter counter
}

// OnHttpRequestHeaders implements types.HttpContext: it answers the request.
func (h *httpContext) OnHttpRequestHeaders(int, bool) (action types.Action) {
	defer func() {
		if v := recover(); v != nil {
			action = h.fail(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}
	}()
	a, err := h.answer()
	if err != nil {
		return h.fail(err)
	}
	if err := send(&a.Reply); err != nil {
		return h.fail(err)
	}
	h.plugin.vm.metrics.count(a.counter) // last, and it does not panic: there is never a second reply
	return types.ActionPause
}

// answer decides. An error is the host's.
func (h *httpContext) answer() (answer, error) {
	p := h.plugin
	method, err := proxywasm.GetHttpRequestHeader(":method")
	if err != nil {
		return answer{}, fmt.Errorf("read :method: %w", err)
	}
	path, err := proxywasm.GetHttpRequestHeader(":path")
	if err != nil {
		return answer{}, fmt.Errorf("read :path: %w", err)
	}
	now := hookRequest(p.vm.now().Unix())
	if p.pending {
		p.begin()
	}
	query, refusal := adrequest.Parse(method, path)
	if refusal != nil {
		return answer{*refusal, badRequest}, nil
	}
	if p.index == nil {
		return answer{adrequest.Unavailable, unavailable}, nil
	}
	body := p.ad(&query, now)
	if body == nil {
		return answer{adrequest.NoAd, noAd}, nil
	}
	return answer{adrequest.Reply{Status: 200, Headers: adrequest.AdHeaders, Body: body}, served}, nil
}

// ad returns the body for a query, which the next call overwrites, or nil if the key has no ad at that time.
func (p *pluginContext) ad(query *adrequest.Query, unixSeconds int64) []byte {
	key, ok := adindex.MakeKey(query.Country.String(), query.Lang.String())
	if !ok {
		return nil
	}
	entry, ok := p.index.Find(key)
	if !ok {
		return nil
	}
	cycle := p.index.CycleAt(entry, unixSeconds)
	if cycle.Len() == 0 {
		return nil
	}
	// HEAD gets the headers of the next GET and leaves the turn to it. The body is sent all the same: Envoy drops it and
	// keeps its length as content-length.
	var turn int
	if query.Head {
		turn = p.cursors.peek(entry.Cursor(), cycle.Len())
	} else {
		turn = p.cursors.take(entry.Cursor(), cycle.Len())
	}
	p.vm.body = adrequest.AppendBody(p.vm.body[:0], p.index.Body(cycle.Ad(turn)))
	return p.vm.body
}

// send makes the reply of the request that is being handled. The host copies what it needs.
func send(r *adrequest.Reply) error {
	if err := proxywasm.SendHttpResponse(r.Status, r.Headers, r.Body, -1); err != nil {
		return fmt.Errorf("send reply: %w", err)
	}
	return nil
}

// fail answers 500 for a request that met a fault of the filter or the host, and returns what the callback has to return.
//
// A request that is paused without a reply hangs until a timeout of Envoy ends it. So when even this reply is refused, the
// request is let through to its route, whose cluster has no endpoints: Envoy answers 503 at once.
func (h *httpContext) fail(reason error) types.Action {
	proxywasm.LogErrorf("ad request: %v", reason)
	h.plugin.vm.metrics.count(internal)
	if err := send(&adrequest.Internal); err != nil {
		proxywasm.LogErrorf("ad request: %v; let through to its route", err)
		return types.ActionContinue
	}
	return types.ActionPause
}

// logPanic recovers from a panic in the function that defers it, and logs it.
func logPanic(where string) {
	if v := recover(); v != nil {
		proxywasm.LogErrorf("%s: panic: %v\n%s", where, v, debug.Stack())
	}
}
