package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// form is the type of a dashboard in the older of Grafana's two file formats. Our
// file has this format, because every Grafana can import it.
//
//lint:ignore SA1019 only Grafana 12 and later know the newer format
type form = dashboard.Dashboard

// decode parses a dashboard. It fails if the dashboard, the options of a panel,
// or a query has a JSON field that Grafana's types do not have.
func decode(text string) (d form, err error) {
	types := cog.NewRuntime()
	types.RegisterPanelcfgVariant(timeseries.VariantConfig())
	types.RegisterDataqueryVariant(prometheus.VariantConfig())
	if err := faults(new(form).UnmarshalJSONStrict([]byte(text))); err != nil {
		return d, err
	}
	if err := decodeFields(text); err != nil {
		return d, err
	}
	// The strict decoder finds all unknown members. But its result is incomplete,
	// so the text is decoded again.
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, err
	}
	return d, d.Validate()
}

// decodeFields fails if the fieldConfig of a panel has an unknown JSON field. The
// SDK's strict decoder does not check fieldConfig.
func decodeFields(text string) error {
	var fields struct {
		Panels []struct{ FieldConfig json.RawMessage }
	}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return err
	}
	for i, panel := range fields.Panels {
		if err := faults(new(dashboard.FieldConfigSource).UnmarshalJSONStrict(panel.FieldConfig)); err != nil {
			return fmt.Errorf("panels[%d].fieldConfig: %w", i, err)
		}
	}
	return nil
}

// faults returns err. If err is an empty list, faults returns nil. The SDK
// returns an empty list if it finds no fault.
func faults(err error) error {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return nil
	}
	return err
}

// TestDashboard checks that the types of Grafana's SDK know every JSON field of the
// dashboard.
func TestDashboard(t *testing.T) {
	text := readDashboard(t)
	d, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, p := range d.Panels {
		if p.Panel == nil || p.Panel.Type != "timeseries" {
			t.Errorf("got the panel %+v, want one of the kind timeseries, the only one that this test looks at", p)
			continue
		}
		if _, ok := p.Panel.Options.(*timeseries.Options); !ok {
			t.Errorf("panel %q: options are a %T, want *timeseries.Options", *p.Panel.Title, p.Panel.Options)
		}
		for _, target := range p.Panel.Targets {
			if _, ok := target.(*prometheus.Dataquery); !ok {
				t.Errorf("panel %q: a query is a %T, want *prometheus.Dataquery", *p.Panel.Title, target)
			}
			queries++
		}
	}
	if queries < len(d.Panels) {
		t.Errorf("%d panels: got %d queries, want at least one of each", len(d.Panels), queries)
	}
}

// TestDecodeIsStrict checks that decode finds an unknown name in every part of
// a dashboard.
func TestDecodeIsStrict(t *testing.T) {
	text := readDashboard(t)
	for _, change := range [][2]string{
		{`"refresh":`, `"refreshed":`},
		{`"gridPos":`, `"gridPosition":`},
		{`"showLegend":`, `"showLegends":`},
		{`"legendFormat":`, `"legend":`},
		{`"expr":`, `"expression":`},
		{`"unit":`, `"units":`},
	} {
		t.Run(change[0], func(t *testing.T) {
			if !strings.Contains(text, change[0]) {
				t.Errorf("the dashboard: got no %s, want it", change[0])
			} else if _, err := decode(strings.Replace(text, change[0], change[1], 1)); err == nil {
				t.Errorf("the dashboard with %s in the place of %s: got no error, want one", change[1], change[0])
			}
		})
	}
}

func readDashboard(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("matrixrtc-auth.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
