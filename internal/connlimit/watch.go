package connlimit

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// watchDelay is how long a request must be in progress before net/http begins
// to watch for a client that disconnects.
const watchDelay = 50 * time.Millisecond

// watch delays net/http's own watch for a client that disconnects.
//
// When net/http has read a body, it starts a goroutine that reads one byte ahead,
// and ends this goroutine before the next request. The start and the end of the
// goroutine each wake another thread. On a single connection, this work took a
// quarter of the CPU time of a request for a token. Most requests end before a
// disconnect matters. So net/http's watch begins only if the request is still in
// progress after watchDelay.
type watch struct {
	hook func() // the function that net/http calls at the end of a body

	mu    sync.Mutex
	begin func()      // net/http's own function, which begins net/http's watch for a disconnect
	due   bool        // whether the body has ended and the handler still runs
	timer *time.Timer // fires after watchDelay; nil until the first body has ended
}

// delay makes net/http call w.bodyEnded instead of its own function at the end of
// body. It must be called before body is read. If body is not of the type that this
// package knows, delay changes nothing.
func (w *watch) delay(body io.ReadCloser) {
	atEnd := endHook(body)
	if atEnd == nil || *atEnd == nil {
		return
	}
	if w.hook == nil {
		w.hook = w.bodyEnded
	}
	w.begin, *atEnd = *atEnd, w.hook
}

// bodyEnded is the function that net/http calls when the body has been read to its
// end. If the handler has already returned, net/http itself has read the rest of
// the body, and no watch is needed.
func (w *watch) bodyEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begin == nil {
		return
	}
	w.due = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchDelay, w.start)
	} else {
		w.timer.Reset(watchDelay)
	}
}

// start begins net/http's watch for a client that disconnects, unless the request
// has already ended.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.due = false
		w.begin()
	}
}

// end must be called when the handler has returned. net/http then no longer watches
// for a client that disconnects, so w must not begin that watch any more.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.timer.Stop()
	}
	w.due, w.begin = false, nil
}

// endHook returns a pointer to the field in which net/http keeps the function
// that it calls at the end of body. It returns nil if there is no such field.
func endHook(body io.ReadCloser) *func() {
	hook := findHook()
	if hook.of == nil || reflect.TypeOf(body) != hook.of {
		return nil
	}
	return (*func())(unsafe.Add(reflect.ValueOf(body).UnsafePointer(), hook.offset))
}

// hookField is the field in which net/http keeps the function that it calls at
// the end of a body.
type hookField struct {
	of     reflect.Type // the type of a pointer to the struct that net/http uses for bodies; nil if this struct lacks the field
	offset uintptr
}

// findHook returns the field in which net/http keeps the function that it calls at
// the end of a body. It finds the field in a request that net/http has read, because
// net/http offers no other way. If a later version of net/http lacks the field,
// requests take more CPU time, and nothing else changes (TestHookIsKnown).
var findHook = sync.OnceValue(func() hookField {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")))
	if err != nil {
		return hookField{}
	}
	of := reflect.TypeOf(r.Body)
	if of.Kind() != reflect.Pointer || of.Elem().Kind() != reflect.Struct {
		return hookField{}
	}
	field, ok := of.Elem().FieldByName("onHitEOF")
	if !ok || len(field.Index) != 1 || field.Type != reflect.TypeFor[func()]() {
		return hookField{}
	}
	return hookField{of, field.Offset}
})
