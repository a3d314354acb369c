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
// When net/http has read a body, it starts a goroutine that reads one byte
// ahead, and ends that goroutine before the next request. This wakes another
// thread twice. With one connection, it took a quarter of the CPU time of a
// request for a token. Most requests end before a disconnect could matter. So
// net/http's watch begins only if the request is still in progress after
// watchDelay.
type watch struct {
	hook func() // the function that net/http calls at the end of a body

	mu    sync.Mutex
	begin func()      // net/http's own function, which begins its watch
	due   bool        // whether the body has ended and the handler still runs
	timer *time.Timer // nil until the first body has ended
}

// delay makes net/http call w at the end of body, instead of its own function.
// It must be called before body is read. If body is not of the type that this
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

// bodyEnded is called when the body was read to its end. If the handler has
// returned by then, net/http itself has read the rest, and no watch is needed.
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

// start begins net/http's watch, unless the request has ended.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.due = false
		w.begin()
	}
}

// end must be called when the handler has returned. net/http then ends its
// watch, and no watch may begin after that.
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

// hookField is a field of the struct that net/http uses for bodies.
type hookField struct {
	of     reflect.Type // the type of a pointer to that struct; nil if there is no such field
	offset uintptr
}

// findHook finds that field by reading a request with net/http, because
// net/http offers no other way. If a later version of net/http has no such
// field, requests only take more CPU time (TestHookIsKnown).
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
