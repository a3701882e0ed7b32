package source

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// rewatchInterval is how soon a directory that did not exist, or was replaced, is watched again.
const rewatchInterval = time.Second

// Run watches the file until ctx is done and then returns nil. Changes that it misses (a file system that does not
// report them, no watches left) are found by the next Poll, so no failure to watch ends it.
//
// Watched is the directory and not the file: a file that is replaced by renaming takes its watch with it. Where the
// path is a symbolic link, the directory that it leads to is watched too, and any event after which it leads elsewhere
// is a change; that is how Kubernetes updates a mounted ConfigMap.
func (f *File) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("campaign file cannot be watched, it is read at each poll only",
			zap.String("path", f.path), zap.Error(err))
		<-ctx.Done()
		return nil
	}
	defer func() { _ = watcher.Close() }() // nothing can be done about it
	w := fileWatch{file: f, watcher: watcher, target: f.resolve()}
	w.watch()
	f.notify() // what changed between a first poll and now was not seen
	if f.watching != nil {
		close(f.watching)
	}
	ticker := time.NewTicker(rewatchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			w.handle(event)
		case err := <-watcher.Errors:
			// Events were lost.
			f.log.Warn("watch campaign file", zap.String("path", f.path), zap.Error(err))
			f.notify()
		case <-ticker.C:
			w.watch()
			w.follow()
		}
	}
}

func (f *File) notify() {
	select {
	case f.changed <- struct{}{}:
	default: // one is waiting already
	}
}

// resolve returns where the path leads to, or an empty text if it leads nowhere.
func (f *File) resolve() string {
	target, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return ""
	}
	return target
}

// fileWatch is the state of one Run.
type fileWatch struct {
	file    *File
	watcher *fsnotify.Watcher
	target  string // where the path led to last
	failing bool
}

// watch adds the directories, which has no effect on those that are watched already.
func (w *fileWatch) watch() {
	err := w.watcher.Add(filepath.Dir(w.file.path))
	if w.target != "" && filepath.Dir(w.target) != filepath.Dir(w.file.path) {
		// If it went away this moment, its next target is found by follow.
		_ = w.watcher.Add(filepath.Dir(w.target))
	}
	switch {
	case err != nil && !w.failing:
		w.file.log.Warn("directory of the campaign file cannot be watched, trying again",
			zap.String("path", w.file.path), zap.Error(err))
	case err == nil && w.failing:
		w.file.notify() // what happened in between is unknown
	}
	w.failing = err != nil
}

func (w *fileWatch) handle(event fsnotify.Event) {
	name := filepath.Clean(event.Name)
	if name == filepath.Dir(w.file.path) || name == filepath.Dir(w.target) {
		// The directory itself was moved or removed, and may be back as another one.
		w.watch()
		w.file.notify()
	}
	// A chmod comes with most writes and alone means no new content.
	if event.Op != fsnotify.Chmod && (name == w.file.path || name == w.target) {
		w.file.notify()
	}
	w.follow()
}

// follow notices that the path leads elsewhere than before.
func (w *fileWatch) follow() {
	target := w.file.resolve()
	if target == w.target {
		return
	}
	old := w.target
	w.target = target
	if old != "" && filepath.Dir(old) != filepath.Dir(w.file.path) && filepath.Dir(old) != filepath.Dir(target) {
		_ = w.watcher.Remove(filepath.Dir(old)) // gone with the directory itself, mostly
	}
	w.watch()
	w.file.notify()
}
