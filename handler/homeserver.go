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

// own calls next for a request that the homeserver itself makes (Application
// Service API). It refuses any request without the hs_token, with an error in
// the form of that specification.
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

// ping answers POST /_matrix/app/v1/ping with 200 {}. The method own has already
// refused a request without the hs_token.
func (h *Handler) ping(w http.ResponseWriter, r *http.Request) {
	discardBody(w, r)
	writeJSON(w, http.StatusOK, []byte("{}"))
}

// nobody always answers 404. The homeserver asks whether a user or an alias
// belongs to this service. This service has no users and no aliases of its own.
// After a 200, the homeserver would create the user or the alias.
func (h *Handler) nobody(w http.ResponseWriter, r *http.Request) {
	fail(w, r, errNotFound)
}

// selfTest answers a self-test of this service. In a self-test, the service
// sends a request to the homeserver. The homeserver forwards the request to the
// service, in the same way as requests of clients.
func (h *Handler) selfTest(w http.ResponseWriter, r *http.Request) {
	discardBody(w, r)
	who, err := h.localCaller(exchangeOf(w), proxiedRequest{})
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, appservice.AnswerLoop(h.AppService.HSToken, chi.URLParam(r, "nonce"), who.User))
}

// MemberEvent says that a user's membership in a room may have changed. The
// event can be old. It does not say whether the user is joined now.
type MemberEvent struct {
	Room matrix.RoomID
	User matrix.UserID
}

// These are the bounds of a transaction. The service reads at most
// maxTransactionBytes, and answers after transactionTime at the latest. After
// the answer, the rest of the transaction may still arrive within
// transactionRest.
//
// The homeserver repeats a transaction until it gets 200. So even a transaction
// over a bound gets 200. Its events may be lost, so the service then calls
// AppService.Missed, and package guard soon checks everybody's membership.
const (
	maxTransactionBytes = 16 << 20
	transactionTime     = 900 * time.Millisecond
	transactionRest     = 10 * time.Second
)

// transaction serves PUT /_matrix/app/v1/transactions/{txnID}. It always
// answers 200, because any other answer stops the homeserver's queue. It keeps
// no transaction ids, because processing a transaction twice does no harm.
func (h *Handler) transaction(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // this handler may answer before the body has arrived
	_ = control.SetReadDeadline(time.Now().Add(transactionTime + transactionRest))
	answer := sync.OnceFunc(func() {
		writeJSON(w, http.StatusOK, []byte("{}"))
		_ = control.Flush()
	})
	timer := time.AfterFunc(transactionTime, answer)
	defer func() {
		if !timer.Stop() {
			answer() // does nothing if the answer was already written
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
	// The homeserver reads the answer only after it has sent the whole
	// transaction. If this service closed the connection earlier, the
	// homeserver would get no answer. So this service also reads the rest of
	// the body.
	_, _ = io.Copy(io.Discard, r.Body)
}

// readEvents calls the function tell for each membership event in a
// transaction. It keeps only one event at a time in memory, because 100 events
// can take megabytes.
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
	_, err := d.Token() // reads the closing bracket of the list
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

// skip reads one JSON value and ignores it.
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
