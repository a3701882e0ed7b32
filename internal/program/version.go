package program

import (
	"runtime/debug"
	"strings"
)

// Version says which build of the program this is, and by which Go: "v1.4.0, go1.26.1". A build without a tag has the time and the commit
// in the place of the version; "(devel)" is where nothing is known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return devel
	}
	return versionOf(info)
}

const devel = "(devel)"

func versionOf(info *debug.BuildInfo) string {
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+dirty" // as Go marks a version
		}
	}
	version := info.Main.Version
	if (version == "" || version == devel) && commit != "" {
		version = commit + modified
	}
	if version == "" {
		version = devel
	}
	return strings.TrimSuffix(version+", "+info.GoVersion, ", ")
}
