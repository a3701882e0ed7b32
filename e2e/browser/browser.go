package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Programs are where the browser and its driver are.
type Programs struct{ Chromium, Driver string }

// Find looks for them on PATH.
func Find() (Programs, error) {
	var p Programs
	var err error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p.Chromium, err = exec.LookPath(name); err == nil {
			break
		}
	}
	driver, driverErr := exec.LookPath("chromedriver")
	p.Driver = driver
	if err != nil || driverErr != nil {
		return p, errors.New("chromium or chromedriver is not installed: sh tools/browser.sh install")
	}
	return p, nil
}

// Browser is a window of a Chromium without a screen.
type Browser struct {
	driver  *exec.Cmd
	client  http.Client
	session string // address of the session, with a slash at the end
	profile string
}

// startTime is how long driver and browser may take to start on a busy machine, and a command to be done.
const startTime = 60 * time.Second

// Start starts driver and browser.
func Start(ctx context.Context, p Programs) (*Browser, error) {
	profile, err := os.MkdirTemp("", "adsidecar-browser-")
	if err != nil {
		return nil, fmt.Errorf("make profile: %w", err)
	}
	b := &Browser{client: http.Client{Timeout: startTime}, profile: profile}
	if err := b.start(ctx, p); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Browser) start(ctx context.Context, p Programs) error {
	// Close ends it, by its group; a context would leave its browsers behind.
	b.driver = exec.Command(p.Driver, "--port=0")
	b.driver.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := b.driver.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open the driver's output: %w", err)
	}
	if err := b.driver.Start(); err != nil {
		b.driver = nil
		return fmt.Errorf("start the driver: %w", err)
	}
	port, err := portOf(out)
	if err != nil {
		return err
	}
	address := "http://127.0.0.1:" + port + "/session"
	args := []string{
		"--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
		"--user-data-dir=" + b.profile, "--window-size=1280,900", "--force-device-scale-factor=1",
	}
	var created struct {
		SessionID string `json:"sessionId"`
	}
	err = b.send(ctx, http.MethodPost, address, map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": map[string]any{"binary": p.Chromium, "args": args},
		"goog:loggingPrefs":  map[string]string{"browser": "ALL"},
	}}}, &created)
	b.session = address + "/" + created.SessionID + "/"
	return err
}

// portOf reads the port from the driver's greeting, and throws away what else it says.
func portOf(out io.Reader) (string, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, after, found := strings.Cut(lines.Text(), "successfully on port "); found {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return strings.Trim(after, ". \r"), nil
		}
	}
	return "", errors.New("the driver did not say on which port it listens")
}

// Close ends the browser and its driver.
func (b *Browser) Close() error {
	var errs []error
	if b.session != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, b.send(ctx, http.MethodDelete, strings.TrimSuffix(b.session, "/"), nil, nil))
	}
	if b.driver != nil {
		errs = append(errs, syscall.Kill(-b.driver.Process.Pid, syscall.SIGKILL))
		_ = b.driver.Wait() // it was killed
	}
	return errors.Join(append(errs, os.RemoveAll(b.profile))...)
}

// send is one command of the protocol.
func (b *Browser) send(ctx context.Context, method, address string, body, value any) error {
	var content io.Reader
	if method == http.MethodPost {
		if body == nil {
			body = struct{}{}
		}
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode command: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the driver: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // all of it is read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the driver's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var failure struct {
			Value struct{ Error, Message string }
		}
		if err := json.Unmarshal(text, &failure); err != nil {
			return fmt.Errorf("the driver answered %s", response.Status)
		}
		return fmt.Errorf("%s: %s", failure.Value.Error, failure.Value.Message)
	}
	if value == nil {
		return nil
	}
	if err := json.Unmarshal(text, &struct{ Value any }{value}); err != nil {
		return fmt.Errorf("decode the driver's answer: %w", err)
	}
	return nil
}

// Open opens an address and waits until it is loaded.
func (b *Browser) Open(ctx context.Context, address string) error {
	return b.send(ctx, http.MethodPost, b.session+"url", map[string]string{"url": address}, nil)
}

// Run runs the body of a function in the page and decodes what it returns into value, unless that is nil.
func (b *Browser) Run(ctx context.Context, script string, value any, args ...any) error {
	if args == nil {
		args = []any{}
	}
	return b.send(ctx, http.MethodPost, b.session+"execute/sync", map[string]any{"script": script, "args": args}, value)
}

// Element is the reference of an element of the present page.
type Element map[string]string

func (b *Browser) address(e Element, command string) string {
	for _, id := range e {
		return b.session + "element/" + id + "/" + command
	}
	return b.session
}

// Find returns the first element that a CSS selector selects. It does not wait for one.
func (b *Browser) Find(ctx context.Context, selector string) (Element, error) {
	var e Element
	err := b.send(ctx, http.MethodPost, b.session+"element", map[string]string{"using": "css selector", "value": selector}, &e)
	return e, err
}

// Click clicks on what a selector selects, as a mouse does: what is covered or hidden cannot be clicked on.
func (b *Browser) Click(ctx context.Context, selector string) error {
	e, err := b.Find(ctx, selector)
	if err != nil {
		return err
	}
	return b.send(ctx, http.MethodPost, b.address(e, "click"), nil, nil)
}

// Type empties a field and types text into it.
func (b *Browser) Type(ctx context.Context, selector, text string) error {
	e, err := b.Find(ctx, selector)
	if err != nil {
		return err
	}
	if err := b.send(ctx, http.MethodPost, b.address(e, "clear"), nil, nil); err != nil {
		return err
	}
	return b.send(ctx, http.MethodPost, b.address(e, "value"), map[string]string{"text": text}, nil)
}

// Keys of the protocol, for Press.
const (
	Tab   = "\ue004"
	Enter = "\ue007"
	Space = "\ue00d"
)

// Press presses a key, wherever the focus is.
func (b *Browser) Press(ctx context.Context, key string) error {
	return b.send(ctx, http.MethodPost, b.session+"actions", map[string]any{"actions": []any{map[string]any{
		"type": "key", "id": "keyboard",
		"actions": []any{map[string]string{"type": "keyDown", "value": key}, map[string]string{"type": "keyUp", "value": key}},
	}}}, nil)
}

// Text returns the visible text of what a selector selects.
func (b *Browser) Text(ctx context.Context, selector string) (string, error) {
	e, err := b.Find(ctx, selector)
	if err != nil {
		return "", err
	}
	var text string
	err = b.send(ctx, http.MethodGet, b.address(e, "text"), nil, &text)
	return text, err
}

// devtools sends a command of Chromium's own protocol.
func (b *Browser) devtools(ctx context.Context, command string, params map[string]any, value any) error {
	return b.send(ctx, http.MethodPost, b.session+"goog/cdp/execute", map[string]any{"cmd": command, "params": params}, value)
}

// Look sets the width of the window in pixels, and whether the system prefers dark.
func (b *Browser) Look(ctx context.Context, width int, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return errors.Join(
		b.devtools(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil),
		b.devtools(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]string{"name": "prefers-color-scheme", "value": scheme}}}, nil),
	)
}

// Scripts says whether pages may run scripts. [Browser.Run] may in any case.
func (b *Browser) Scripts(ctx context.Context, run bool) error {
	return b.devtools(ctx, "Emulation.setScriptExecutionDisabled", map[string]any{"value": !run}, nil)
}

// Forget drops all cookies, and with them whoever is signed in.
func (b *Browser) Forget(ctx context.Context) error {
	return b.devtools(ctx, "Network.clearBrowserCookies", map[string]any{}, nil)
}

// Offline says whether servers cannot be reached.
func (b *Browser) Offline(ctx context.Context, off bool) error {
	return errors.Join(
		b.devtools(ctx, "Network.enable", map[string]any{}, nil),
		b.devtools(ctx, "Network.emulateNetworkConditions", map[string]any{
			"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
		}, nil),
	)
}

// Picture is the whole page as a PNG.
func (b *Browser) Picture(ctx context.Context) ([]byte, error) {
	var shot struct{ Data string }
	if err := b.devtools(ctx, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(shot.Data)
}

// Complaints are what the browser's console says since the last call: errors of scripts, and what the content policy forbade.
func (b *Browser) Complaints(ctx context.Context) ([]string, error) {
	var entries []struct{ Level, Message string }
	if err := b.send(ctx, http.MethodPost, b.session+"se/log", map[string]string{"type": "browser"}, &entries); err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		if e.Level == "SEVERE" || e.Level == "WARNING" {
			all = append(all, e.Message)
		}
	}
	return all, nil
}
