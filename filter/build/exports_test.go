package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The sections of a small module: one function type, one function, a memory, exports "f" and "m", and its code.
const (
	typeSection     = "\x01\x04\x01\x60\x00\x00"
	functionSection = "\x03\x02\x01\x00"
	memorySection   = "\x05\x03\x01\x00\x01"
	exports         = "\x07\x09\x02" + exportF + exportM
	codeSection     = "\x0a\x04\x01\x02\x00\x0b"
	nameSection     = "\x00\x05\x04name"

	exportF = "\x01f\x00\x00"
	exportM = "\x01m\x02\x00"

	small = preamble + typeSection + functionSection + memorySection + exports + codeSection + nameSection
)

func TestKeepExportsChangesNothingButTheExportSection(t *testing.T) {
	tests := map[string]struct {
		keep    []string
		section string
		dropped []string
	}{
		"all":              {[]string{"f", "m"}, exports, nil},
		"in another order": {[]string{"m", "f"}, exports, nil},
		"the first":        {[]string{"f"}, "\x07\x05\x01" + exportF, []string{"m"}},
		"the last":         {[]string{"m"}, "\x07\x05\x01" + exportM, []string{"f"}},
		"none":             {nil, "\x07\x01\x00", []string{"f", "m"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out, dropped, err := keepExports([]byte(small), tc.keep)
			require.NoError(t, err)
			require.Equal(t, strings.Replace(small, exports, tc.section, 1), string(out))
			require.Equal(t, tc.dropped, dropped)
		})
	}
}

func TestKeepExportsAcceptsWhatTheFormatAllows(t *testing.T) {
	tests := map[string]string{
		"custom sections anywhere":          preamble + nameSection + typeSection + nameSection + exports,
		"a section size padded to 5 bytes":  preamble + "\x07\x89\x80\x80\x80\x00\x02" + exportF + exportM,
		"a name size padded to 2 bytes":     preamble + "\x07\x0a\x02\x81\x00f\x00\x00" + exportM,
		"a data count section before code":  preamble + exports + "\x0c\x01\x00" + codeSection,
		"a tag section before the globals":  preamble + memorySection + "\x0d\x01\x00\x06\x01\x00" + exports,
		"the highest kind and index":        preamble + "\x07\x0d\x02\x01f\x04\xff\xff\xff\xff\x0f" + exportM,
		"a name that is empty, beside ours": preamble + "\x07\x0c\x03" + exportF + exportM + "\x00\x00\x00",
	}
	for name, module := range tests {
		t.Run(name, func(t *testing.T) {
			out, _, err := keepExports([]byte(module), []string{"f"})
			require.NoError(t, err)
			left, err := exportNames(out)
			require.NoError(t, err)
			require.Equal(t, []string{"f"}, left)
		})
	}
}

func TestKeepExportsRefusesAMalformedModule(t *testing.T) {
	tests := map[string]struct{ module, want string }{
		"nothing":                        {"", "not a WebAssembly 1.0 module"},
		"another format":                 {"\x7fELF\x01\x00\x00\x00", "not a WebAssembly 1.0 module"},
		"another version":                {"\x00asm\x02\x00\x00\x00", "not a WebAssembly 1.0 module"},
		"no sections":                    {preamble, "the module has no export section"},
		"no export section":              {preamble + typeSection + codeSection, "the module has no export section"},
		"a section without a size":       {preamble + exports + "\x0a", "1 bytes wanted at byte 20, 0 left"},
		"a section longer than the rest": {preamble + "\x07\x05\x00", "5 bytes wanted at byte 10, 1 left"},
		"a size close to 4 GiB":          {preamble + "\x07\xff\xff\xff\xff\x0f", "4294967295 bytes wanted at byte 14, 0 left"},
		"a size of 33 bits":              {preamble + "\x07\xff\xff\xff\xff\x1f", "the number at byte 9 has more than 32 bits"},
		"a size of six bytes":            {preamble + "\x07\x80\x80\x80\x80\x80\x00", "the number at byte 9 has more than 32 bits"},
		"sections out of order":          {preamble + codeSection + exports, "section 7 at byte 14 is unknown, out of order or there twice"},
		"two export sections":            {preamble + exports + exports, "section 7 at byte 19 is unknown, out of order or there twice"},
		"an unknown section":             {preamble + "\x0e\x00" + exports, "section 14 at byte 8 is unknown, out of order or there twice"},
		"an empty export section":        {preamble + "\x07\x00", "read export section: 1 bytes wanted at byte 0, 0 left"},
		"fewer exports than counted":     {preamble + "\x07\x05\x02" + exportF, "read export section: 1 bytes wanted at byte 5, 0 left"},
		"more exports than counted":      {preamble + "\x07\x09\x01" + exportF + exportM, "read export section: 4 bytes after the last export"},
		"a name longer than the section": {preamble + "\x07\x05\x01\x09f\x00\x00", "read export section: 9 bytes wanted at byte 2, 3 left"},
		"a name that is not UTF-8":       {preamble + "\x07\x05\x01\x01\xff\x00\x00", "read export section: the name at byte 1 is not UTF-8"},
		"an unknown kind":                {preamble + "\x07\x05\x01\x01f\x05\x00", `read export section: export "f" has the unknown kind 5`},
		"the same name twice":            {preamble + "\x07\x09\x02" + exportF + exportF, `read export section: export "f" is there twice`},
		"names to keep that are missing": {
			preamble + "\x07\x05\x01\x01g\x00\x00",
			"read export section: the module does not export \"f\"\nthe module does not export \"m\"",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out, _, err := keepExports([]byte(tc.module), []string{"f", "m"})
			require.EqualError(t, err, tc.want)
			require.Nil(t, out)
		})
	}
}

func FuzzKeepExports(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(preamble + exports))
	f.Add([]byte(preamble + "\x07\x01\x00"))
	f.Add([]byte(preamble + "\x07\x89\x80\x80\x80\x00\x02" + exportF + exportM))
	f.Add([]byte(preamble + "\x07\xff\xff\xff\xff\x0f"))
	f.Add([]byte(preamble + "\x07\x06\xff\xff\xff\xff\x0f\x00"))
	f.Add([]byte(preamble + codeSection + exports))
	f.Fuzz(func(t *testing.T, module []byte) {
		names, err := exportNames(module)
		if err != nil {
			return
		}
		keep := names[:len(names)/2]
		out, dropped, err := keepExports(module, keep)
		require.NoError(t, err)
		require.True(t, slices.Equal(names[len(keep):], dropped))
		left, err := exportNames(out)
		require.NoError(t, err)
		require.True(t, slices.Equal(keep, left))

		// What is stripped already stays as it is.
		again, dropped, err := keepExports(out, left)
		require.NoError(t, err)
		require.Empty(t, dropped)
		require.Equal(t, out, again)
	})
}

// exportNames returns the names in the export section of a module.
func exportNames(module []byte) ([]string, error) {
	_, names, err := keepExports(module, nil)
	return names, err
}
