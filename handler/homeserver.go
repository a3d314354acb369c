package handler

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/matrix"
)

// own lets the homeserver's own requests pass (Application Service API). Clients
// never see these answers, so they are those of the specification.
func (s *AppService) own(endpoint string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		x.via, x.endpoint = viaHomeserver, endpoint
		if err := s.checkToken(r); err != nil {
			discardBody(w, r)
			e, _ := errors.AsType[*proxyError](err)
			e.own = true
			fail(w, r, err)
			return
		}
		next(w, r)
	}
}

// ping is POST /_matrix/app/v1/ping.
func (h *Handler) ping(w http.ResponseWriter, r *http.Request) {
	discardBody(w, r)
	writeJSON(w, http.StatusOK, []byte("{}"))
}

// nobody answers whether a user or an alias is ours: none ever is. A 200 would
// have the homeserver make one.
func (h *Handler) nobody(w http.ResponseWriter, r *http.Request) {
	fail(w, r, errNotFound)
}

// selfTest answers a request of this service itself that comes back by the way
// that clients' requests take.
func (h *Handler) selfTest(w http.ResponseWriter, r *http.Request) {
	discardBody(w, r)
	who, err := h.localCaller(exchangeOf(w), proxiedRequest{})
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, appservice.AnswerLoop(h.AppService.HSToken, chi.URLParam(r, "nonce"), who.User))
}

// MemberEvent says that somebody's membership in a room may have changed. It may
// be old, and says nothing about who is joined now.
type MemberEvent struct {
	Room matrix.RoomID
	User matrix.UserID
}

// The bounds of a transaction: of what is read of it, of the time until the
// answer, and of the time that the rest may take to come after that. The
// homeserver sends the same transaction again until the answer is 200.
const (
	maxTransactionBytes = 16 << 20
	transactionTime     = 900 * time.Millisecond
	transactionRest     = 10 * time.Second
)

// transaction is PUT /_matrix/app/v1/transactions/{txnID}. The answer is 200
// whatever comes: any other would stop the homeserver's queue. No transaction is
// remembered, because doing one twice does the same as doing it once.
func (h *Handler) transaction(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // the answer may come before all is sent
	_ = control.SetReadDeadline(time.Now().Add(transactionTime + transactionRest))
	answer := sync.OnceFunc(func() {
		writeJSON(w, http.StatusOK, []byte("{}"))
		_ = control.Flush()
	})
	timer := time.AfterFunc(transactionTime, answer)
	defer func() {
		if !timer.Stop() {
			answer() // is over when this returns
		}
	}()
	err := readEvents(io.LimitReader(r.Body, maxTransactionBytes), func(e MemberEvent) {
		if h.AppService.Members != nil {
			h.AppService.Members(e)
		}
	})
	answer()
	if err != nil {
		x := exchangeOf(w)
		x.cause, x.err = "transaction_unread", err
		if h.AppService.Missed != nil {
			h.AppService.Missed()
		}
	}
	// A homeserver that is still sending reads the answer when it is done, and
	// never if the connection ends before.
	_, _ = io.Copy(io.Discard, r.Body)
}

// readEvents tells of the memberships in a transaction, event by event: one of
// 100 events may have megabytes.
func readEvents(body io.Reader, tell func(MemberEvent)) error {
	d := json.NewDecoder(body)
	if err := enter(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name != "events" {
			if err := skip(d); err != nil {
				return err
			}
			continue
		}
		if err := readList(d, tell); err != nil {
			return err
		}
	}
	return nil
}

func readList(d *json.Decoder, tell func(MemberEvent)) error {
	if err := enter(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		var event struct {
			Type     string  `json:"type"`
			RoomID   string  `json:"room_id"`
			StateKey *string `json:"state_key"`
		}
		var wrongType *json.UnmarshalTypeError
		if err := d.Decode(&event); err != nil && !errors.As(err, &wrongType) {
			return err
		}
		if event.Type != "m.room.member" || event.StateKey == nil {
			continue
		}
		room, badRoom := matrix.ParseRoomID(event.RoomID)
		user, badUser := matrix.ParseUserID(*event.StateKey)
		if badRoom == nil && badUser == nil {
			tell(MemberEvent{room, user})
		}
	}
	_, err := d.Token() // the end of the list
	return err
}

var errNoEvents = errors.New("the transaction is not {\"events\": […]}")

func enter(d *json.Decoder, open json.Delim) error {
	token, err := d.Token()
	if err == nil && token != open {
		return errNoEvents
	}
	return err
}

// skip passes over one value without holding it.
func skip(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
