package app

import "surefoot/internal/web"

// filesStatus says which files are served.
func (a *App) filesStatus() *web.FilesStatus {
	s := a.setup()
	if s.Root == "" {
		return nil
	}
	id, err := s.files.Version()
	st := &web.FilesStatus{Root: s.Root, Version: id, Entries: len(s.Config.Files)}
	if err != nil {
		st.Error = err.Error()
	}
	return st
}

// version is the one that is served, for the metric; "" if the root has none.
func (a *App) version() string {
	id, err := a.setup().files.Version()
	if err != nil {
		return ""
	}
	return id
}

// followVersion logs when another version is served. The roles need not be told.
func (a *App) followVersion() {
	id := a.version()
	a.mu.Lock()
	was := a.shown
	a.shown = id
	a.mu.Unlock()
	switch {
	case id == was:
	case id == "":
		a.log.Info("no version is served any more", "root", a.setup().Root, "was", was)
	default:
		a.log.Info("another version of the files is served from now on", "root", a.setup().Root, "version", id, "was", was)
	}
}

// warnVersion tells of a version that cannot be served, and of entries that stand for nothing.
func warnVersion(s *setup, add adder) {
	if _, err := s.files.Version(); err != nil {
		add("version-broken", "the files of the current version cannot be served", err.Error(),
			"surefoot file list --root "+s.Root+", then surefoot file rollback --root "+s.Root)
		return
	}
	for _, e := range s.Config.Files {
		if err := s.files.Check(e); err != nil {
			add("entry-broken", "what "+e.Name+" stands for cannot be handed out", err.Error(),
				"correct "+e.Target()+" below "+s.Root+", or the entry under files in the site file")
		}
	}
}
