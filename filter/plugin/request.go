package plugin

import (
	"errors"
	"runtime"

	"adsidecar/filter/abi"
	"adsidecar/filter/adindex"
	"adsidecar/filter/adrequest"
)

// answer is a reply and the counter that counts it.
type answer struct {
	adrequest.Reply

	counter counter
}

// adHeaders are those of the 200.
var adHeaders = abi.AppendHeaders(nil, adrequest.AdHeaders)

// RequestHeaders implements [abi.Filter]: it answers the request.
func (vm *VM) RequestHeaders(id uint32) (action abi.Action) {
	defer func() {
		if v := recover(); v != nil {
			action = vm.fail("panic: " + panicText(v) + "\n" + stack())
		}
	}()
	a, err := vm.opened.take(id).answer()
	if err == nil {
		err = vm.send(&a)
	}
	if err != nil {
		return vm.fail(err.Error())
	}
	vm.count(a.counter) // last, and it does not panic: there is never a second reply
	return abi.Pause
}

// answer decides. An error is the host's.
func (p *pluginContext) answer() (answer, error) {
	host := p.vm.host
	method, err := host.RequestHeader(":method")
	if err != nil {
		return answer{}, errors.New("read :method: " + err.Error())
	}
	path, err := host.RequestHeader(":path")
	if err != nil {
		return answer{}, errors.New("read :path: " + err.Error())
	}
	now, err := host.UnixSeconds()
	if err != nil {
		return answer{}, errors.New("read the clock: " + err.Error())
	}
	now = hookRequest(host, now)
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
	ad := p.index.Body(cycle.Ad(turn))
	var base []byte
	if number, ok := adrequest.BaseOf(ad); ok {
		base = p.index.Body(adindex.AdRef(number))
	}
	p.vm.body = adrequest.AppendBody(p.vm.body[:0], ad, base)
	return p.vm.body
}

// send makes the reply of the request that is being handled. The host copies what it needs.
func (vm *VM) send(a *answer) error {
	headers := adHeaders
	if a.counter != served {
		vm.headers = abi.AppendHeaders(vm.headers[:0], a.Headers)
		headers = vm.headers
	}
	if err := vm.host.Reply(a.Status, headers, a.Body); err != nil {
		return errors.New("send reply: " + err.Error())
	}
	return nil
}

// fail answers 500 for a request that met a fault of the filter or the host, and returns what the callback has to return.
//
// A request that is paused without a reply hangs until a timeout of Envoy ends it. So when even this reply is refused, the
// request is let through to its route, whose cluster has no endpoints: Envoy answers 503 at once.
func (vm *VM) fail(reason string) abi.Action {
	vm.host.Log(abi.Error, "ad request: "+reason)
	vm.count(internal)
	if err := vm.send(&answer{adrequest.Internal, internal}); err != nil {
		vm.host.Log(abi.Error, "ad request: "+err.Error()+"; let through to its route")
		return abi.Continue
	}
	return abi.Pause
}

// count counts a request. A host that refuses costs a log line, never the request.
func (vm *VM) count(c counter) {
	if err := vm.metrics.count(c); err != nil {
		vm.host.Log(abi.Error, "count: "+err.Error())
	}
}

// panicText returns what a panic says. The runtime's panics are errors.
func panicText(v any) string {
	switch v := v.(type) {
	case error:
		return v.Error()
	case string:
		return v
	default:
		return "neither an error nor a text"
	}
}

// stack returns the stack of its caller. Package runtime/debug, which does the same, brings in os and fmt.
func stack() string {
	text := make([]byte, 16<<10)
	return string(text[:runtime.Stack(text, false)])
}
