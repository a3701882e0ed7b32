package api

import (
	"bytes"
	"net/http"

	"go.uber.org/zap"

	"adsidecar/controlplane/apiv1"
	"adsidecar/filter/adindex"
)

func (s *server) listVersions(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	versions, err := s.Publisher.Versions(c.Context())
	if err != nil {
		return err
	}
	if versions == nil {
		versions = []apiv1.Version{}
	}
	return c.write(http.StatusOK, apiv1.Page[apiv1.Version]{Items: versions, Total: len(versions)})
}

func (s *server) getVersion(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	versions, err := s.Publisher.Versions(c.Context())
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Version == c.args[0] {
			return c.write(http.StatusOK, v)
		}
	}
	return errNoVersion
}

// diffVersions compares the bytes of two indexes, so that it needs neither document. One pair is compared at a time: an index may be large.
func (s *server) diffVersions(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	if err := s.diffs.wait(c.Context()); err != nil {
		return err
	}
	defer s.diffs.leave()
	a, err := s.index(c, c.args[0])
	if err != nil {
		return err
	}
	b, err := s.index(c, c.args[1])
	if err != nil {
		return err
	}
	d, err := diffIndexes(c.Context(), a, b, s.Now())
	if err != nil {
		return err
	}
	return c.write(http.StatusOK, d)
}

// index is that of a version which is kept, or of the candidate: what a guard holds can be compared with what it would replace.
func (s *server) index(c *call, version string) (*adindex.Reader, error) {
	if v := s.Publisher.View(); v != nil && v.Index != nil && v.Index.Version == version {
		return adindex.Reopen(v.Index.Bytes)
	}
	var b bytes.Buffer
	if err := s.Publisher.ReadVersion(c.Context(), version, &b); err != nil {
		return nil, err
	}
	return adindex.Open(b.Bytes())
}

func (s *server) rollback(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	comment, err := c.bodyComment()
	if err != nil {
		return err
	}
	pin, err := s.Publisher.Rollback(c.Context(), c.args[0], c.who, comment)
	if err != nil {
		return err
	}
	s.made(c.who, "rollback", comment, zap.String("version", c.args[0]))
	return c.write(http.StatusOK, pin)
}

func (s *server) getPin(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	pin := s.Publisher.Pin()
	if pin == nil {
		return errNotPinned
	}
	return c.write(http.StatusOK, pin)
}

// command reads a request that has nothing but a comment.
func (c *call) command() (string, error) {
	if _, err := c.params(); err != nil {
		return "", err
	}
	if err := c.noBody(); err != nil {
		return "", err
	}
	return c.comment()
}

func (s *server) resume(c *call) error {
	comment, err := c.command()
	if err != nil {
		return err
	}
	if err := s.Publisher.Resume(c.Context(), c.who, comment); err != nil {
		return err
	}
	s.made(c.who, "resume", comment)
	return c.done(http.StatusNoContent)
}

func (s *server) getHeld(c *call) error {
	if _, err := c.params(); err != nil {
		return err
	}
	held := s.Publisher.Held()
	if held == nil {
		return errNothingHeld
	}
	return c.write(http.StatusOK, held)
}

func (s *server) confirmHeld(c *call) error {
	comment, err := c.command()
	if err != nil {
		return err
	}
	if err := s.Publisher.Confirm(c.Context(), c.args[0], c.who, comment); err != nil {
		return err
	}
	s.made(c.who, "confirm", comment, zap.String("version", c.args[0]))
	return c.done(http.StatusNoContent)
}

func (s *server) refuseHeld(c *call) error {
	comment, err := c.command()
	if err != nil {
		return err
	}
	if err := s.Publisher.Refuse(c.Context(), c.args[0], c.who, comment); err != nil {
		return err
	}
	s.made(c.who, "refuse", comment, zap.String("version", c.args[0]))
	return c.done(http.StatusNoContent)
}
