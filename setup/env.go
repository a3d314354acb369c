package setup

import (
	"fmt"
	"io/fs"
)

// envMerger returns the function that merges setup's new .env into a .env that
// a person edited. That function must know which values setup wrote in its last
// run. envMerger finds them by the checksums of the last run or, if there are none,
// by the answers of the last run.
func (p plan) envMerger(dir *folder, d *dialogue, templates fs.FS) (merger, error) {
	wrote, err := readSums(dir)
	if err != nil {
		return nil, err
	}
	before := p.envBefore(templates)
	e := envMerge{wrote: func(name, value string) (yes, known bool) {
		if yes, known = wrote.wroteValue(name, value); known {
			return yes, true
		}
		old, known := before[name]
		return known && old == value, known
	}}
	if d != nil {
		e.ask = func(name, value string) (bool, error) {
			return d.confirm(fmt.Sprintf("%s: somebody changed %s there. Replace its value by the one from your answers, %s?", envFile, name, value), false)
		}
	}
	if p.newSecrets {
		e.renewed = "LIVEKIT_SECRET"
	}
	return e.join, nil
}

// envBefore returns the values, without secrets, that setup wrote into .env for
// the last run's answers. It returns nil if these answers are unknown.
func (p plan) envBefore(templates fs.FS) map[string]string {
	if p.before == nil {
		return nil
	}
	r := &renderer{templates: templates}
	values, err := parseEnv(r.change(".env.example", p.before.envEdits))
	if r.err != nil || err != nil {
		return nil
	}
	for _, name := range []string{"LIVEKIT_KEY", "LIVEKIT_SECRET"} {
		delete(values, name)
	}
	return values
}

// options.before makes the plan of the last run again, from the answers of that
// run. It returns nil if these answers are unknown or not valid any more.
func (o *options) before() *plan {
	if !o.memory.there {
		return nil
	}
	old := presets()
	old.dir, old.memory = o.dir, o.memory
	old.memory.written = false // so that newPlan accepts missing answers
	if old.recall(o.memory.answers) != nil {
		return nil
	}
	p, err := newPlan(old)
	if err != nil {
		return nil
	}
	return &p
}
