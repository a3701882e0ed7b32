package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"

	"go.uber.org/zap"

	"adsidecar/controlplane/client"
)

// Config is what the console needs. All of it must be safe for concurrent use.
type Config struct {
	// API answers what is below /api/v1, /status among it. It is asked with the context, and so the identity, of the request for the page.
	API http.Handler
	// Logger hears of pages that could not be made. nil: none.
	Logger *zap.Logger
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

var (
	//go:embed templates/*.html
	templateFiles embed.FS
	//go:embed assets
	assetFiles embed.FS
)

// console is safe for concurrent use.
type console struct {
	api   *client.Client // asked with the context of asking
	pages map[string]*template.Template
	log   *zap.Logger
	now   func() time.Time
}

// Handler answers with the console's pages, at /. It must stand behind access.Guard, which lets only operators write and refuses
// the writes of other origins.
func Handler(cfg Config) (http.Handler, error) {
	if cfg.API == nil {
		return nil, errors.New("api: is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	api, err := newClient(cfg.API, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("client of the API: %w", err)
	}
	c := &console{api: api, pages: pages, log: cfg.Logger, now: cfg.Now}

	mux := http.NewServeMux()
	for pattern, show := range map[string]func(*http.Request) (*view, error){
		"GET /{$}":                c.dashboard,
		"GET /campaigns":          c.campaigns,
		"GET /campaigns/new":      c.newCampaign,
		"GET /campaigns/import":   c.importForm,
		"GET /campaign":           c.campaign,
		"GET /coverage":           c.coverage,
		"GET /preview":            c.preview,
		"GET /history":            c.history,
		"GET /actions":            c.actions,
		"GET /revisions/{n}":      c.revision,
		"GET /revisions/diff":     c.revisionsDiff,
		"GET /versions/diff":      c.versionDiff,
		"GET /versions/{version}": c.version,
		"GET /fleet":              c.fleet,
		"POST /campaigns/new":     c.createCampaign,
		"POST /campaign":          c.saveCampaign,

		"POST /campaign/pause":    c.setEnabled(false),
		"POST /campaign/unpause":  c.setEnabled(true),
		"POST /campaign/delete":   c.deleteCampaign,
		"POST /revisions/revert":  c.revert,
		"POST /versions/rollback": c.rollback,
		"POST /pin/resume":        c.resume,
		"POST /held/confirm":      c.decideHeld("confirm", (*client.Client).ConfirmHeld),
		"POST /held/refuse":       c.decideHeld("refuse", (*client.Client).RefuseHeld),
		"POST /source/poll":       c.poll,
	} {
		mux.Handle(pattern, c.handle(show))
	}
	mux.Handle("POST /campaigns/import", http.HandlerFunc(c.importDocument))
	mux.Handle("/", c.handle(func(*http.Request) (*view, error) {
		return nil, notFound("There is no page here.")
	}))
	mux.Handle("GET "+AssetsPath, Assets())
	return mux, nil
}

func parsePages() (map[string]*template.Template, error) {
	layout, err := template.New("layout.html").Funcs(words).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, entry := range names {
		name := entry.Name()
		if name == "layout.html" || name == "parts.html" {
			continue
		}
		page, err := layout.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, "templates/"+name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		pages[name] = page
	}
	return pages, nil
}

// AssetsPath is where [Assets] belongs.
const AssetsPath = "/assets/"

// Assets answers GET and HEAD of the style sheet and the script, which have nothing of the campaigns: the sign-in page needs them before
// anybody is signed in. Browsers keep them and ask whether they are still the same.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil || r.URL.Path != AssetsPath+name {
			http.NotFound(w, r)
			return
		}
		hash := sha256.Sum256(content)
		w.Header().Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(hash[:12])+`"`)
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
