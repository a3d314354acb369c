package doctor

import (
	"context"
	"io"
	"strings"

	"matrixrtc-auth/config"
)

// Prepare makes look and o ready for Examine.
func Prepare(look *Look, o *Options, load func() (config.Config, []config.Warning, error)) error {
	if err := o.readToken(context.Background(), look, strings.NewReader(""), io.Discard); err != nil {
		return err
	}
	return look.prepare(o, load)
}
