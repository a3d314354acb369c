package fault_test

import (
	"errors"
	"strings"
	"testing"

	"matrixrtc-auth/internal/fault"
)

func TestCatch(t *testing.T) {
	failed := errors.New("failed")
	if v, err := fault.Catch(func() (int, error) { return 7, failed }); v != 7 || err != failed {
		t.Errorf("without a panic: %v, %v, want what the function returned", v, err)
	}
	_, err := fault.Catch(func() (int, error) { panic("secret") })
	ours, ok := errors.AsType[*fault.Error](err)
	if !ok || ours.Value != "secret" || !strings.Contains(string(ours.Stack), "TestCatch") {
		t.Fatalf("got %v, want the panic and where it was", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the text shows the value: got %q, want no secret in it", err)
	}
}
