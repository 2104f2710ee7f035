package tcpenv

import (
	"slices"
	"testing"
)

func TestWhatIsUnknownIsUnset(t *testing.T) {
	env := []string{"A=1", "TCPREMOTEHOST=old", "TCPREMOTEINFO=old", "TCPREMOTEHOSTS=stays", "PROTO=q", "TCPLOCALIP="}
	c := Conn{Proto: "TCP", LocalIP: "1.2.3.4", LocalPort: "25", RemoteIP: "5.6.7.8", RemotePort: "1000"}
	got := c.Replace(env)
	want := []string{"A=1", "TCPREMOTEHOSTS=stays", "PROTO=TCP", "TCPLOCALIP=1.2.3.4", "TCPLOCALPORT=25",
		"TCPREMOTEIP=5.6.7.8", "TCPREMOTEPORT=1000"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if Read(got) != c {
		t.Errorf("%+v", Read(got))
	}
	if env[1] != "TCPREMOTEHOST=old" {
		t.Error("the old environment changed")
	}
}

func TestLocalNameIsTheAddressWhereThereIsNone(t *testing.T) {
	if got := (Conn{LocalIP: "1.2.3.4"}).Local(); got != "1.2.3.4" {
		t.Error(got)
	}
	if got := (Conn{LocalIP: "1.2.3.4", LocalHost: "h"}).Local(); got != "h" {
		t.Error(got)
	}
}

func TestDATABYTESBeatsTheControlFile(t *testing.T) {
	for value, want := range map[string]int64{"50": 50, "": 0, "x": 0, "12x": 12, "4294967295": 4294967295,
		"99999999999999999999": 0} {
		if got := DataBytes([]string{"DATABYTES=" + value}, 7); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
	if got := DataBytes(nil, 7); got != 7 {
		t.Error(got)
	}
}

func TestGetIntTakesNumbersOnly(t *testing.T) {
	for value, want := range map[string]int{"0": 0, "12": 12} {
		if n, ok := GetInt([]string{"X=" + value}, "X"); !ok || n != want {
			t.Error(value, n, ok)
		}
	}
	for _, value := range []string{"", "-1", "1x", "1234567890"} {
		if _, ok := GetInt([]string{"X=" + value}, "X"); ok {
			t.Error(value)
		}
	}
}
