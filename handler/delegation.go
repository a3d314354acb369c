package handler

import "context"

// delegate serves POST /delegate_delayed_leave. The service takes over the
// client's leave, and returns no token.
func (h *Handler) delegate(ctx context.Context, x *exchange, body []byte) (empty, error) {
	who, what, err := decodeDelegate(body)
	if err != nil {
		return empty{}, err
	}
	got, err := h.Access.Delegate(ctx, x.openID(who), x.request(what))
	x.note(got)
	return empty{}, err
}

// empty is an answer with the empty JSON object {}.
type empty struct{}

func (empty) appendJSON(b []byte) []byte { return append(b, "{}"...) }
