package console

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"unicode/utf8"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/client"
)

const (
	// maxUpload bounds the form of an import: a document as long as the API takes it, and what is around it.
	maxUpload = 130 << 20
	// maxPaste bounds a document that is pasted: it goes back into the form, so it is in memory.
	maxPaste = 1 << 20
)

// upload is the form of an import. Its fields come in the order of the form: what belongs to the document is known before it.
type upload struct {
	Comment string
	Pasted  string // the document, if it was pasted

	document io.Reader // which is read while it arrives
}

// readUpload reads the form up to the document. Errors are *client.Error.
func readUpload(r *http.Request) (upload, error) {
	var u upload
	form, err := r.MultipartReader()
	if err != nil {
		return u, invalidForm("The form could not be read.")
	}
	for u.document == nil {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return u, u.complete()
		}
		if err != nil {
			return u, invalidForm("The form did not arrive as a whole.")
		}
		if err := u.read(part); err != nil {
			return u, err
		}
	}
	return u, u.complete()
}

func (u *upload) read(part *multipart.Part) (err error) {
	switch part.FormName() {
	case "comment":
		u.Comment, err = readField(part, apiv1.MaxComment*utf8.UTFMax)
		if err != nil || utf8.RuneCountInString(u.Comment) > apiv1.MaxComment {
			return invalidForm(fmt.Sprintf("The reason is longer than %d characters.", apiv1.MaxComment))
		}
	case "text":
		if u.Pasted, err = readField(part, maxPaste); err != nil {
			return invalidForm("What is pasted is longer than 1 MiB. Put it into a file, and choose that.")
		}
	case "file":
		document := bufio.NewReader(part)
		if _, err := document.Peek(1); err == nil { // a file was chosen, and is not empty
			u.document = document
		}
	}
	return nil
}

// complete requires one document.
func (u *upload) complete() error {
	switch {
	case u.document != nil && u.Pasted != "":
		return invalidForm("There is a file and a pasted document. Take one of them away.")
	case u.Pasted != "":
		u.document = bytes.NewReader([]byte(u.Pasted))
	case u.document == nil:
		return invalidForm("There is no document. Choose a file that is not empty, or paste one.")
	}
	return nil
}

// readField reads a field of at most limit bytes, without white space around it.
func readField(part io.Reader, limit int64) (string, error) {
	text, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(text)) > limit {
		return "", errors.New("is too long")
	}
	return string(bytes.TrimSpace(text)), nil
}

func invalidForm(message string) error {
	return &client.Error{Status: http.StatusBadRequest, Code: "invalid_form", Message: message}
}
