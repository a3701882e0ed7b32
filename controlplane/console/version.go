package console

import "net/http"

// version shows what one published version tells of itself.
func (c *console) version(r *http.Request) (*view, error) {
	answer, err := c.api.Version(r.Context(), r.PathValue("version"))
	return &view{Template: "version.html", Title: "Version " + short(r.PathValue("version")), Section: "history", Data: answer.Value}, err
}
