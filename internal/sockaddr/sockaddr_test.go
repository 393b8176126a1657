package sockaddr

import "testing"

func TestIfByRFC(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		addr    string
		special bool
	}{
		"private":         {"10.1.2.3", true},
		"loopback":        {"127.0.0.1", true},
		"mapped loopback": {"::ffff:127.0.0.1", true},
		"unique local":    {"fd00::1", true},
		"link local":      {"fe80::1", true},
		"documentation":   {"2001:db8::1", true},
		"public IPv4":     {"8.8.8.8", false},
		"public IPv6":     {"2a00:1450::1", false},
		"above 2001::/23": {"2001:4860:4860::8888", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ip, err := NewIPAddr(test.addr)
			if err != nil {
				t.Fatal(err)
			}
			matched, remainder, err := IfByRFC("6890", []IfAddr{{SockAddr: ip}})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(matched) == 1; got != test.special || len(matched)+len(remainder) != 1 {
				t.Errorf("IfByRFC(%s) = %v, %v; want special %v", test.addr, matched, remainder, test.special)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if ip, err := NewIPAddr("10.0.0.1/8"); err == nil {
		t.Errorf("NewIPAddr accepted a prefix: %v", ip)
	}
	if _, _, err := IfByRFC("1918", nil); err == nil {
		t.Error("IfByRFC accepted an RFC it does not know")
	}
	if ip, err := GetPrivateIP(); err == nil {
		t.Errorf("GetPrivateIP() = %q, want an error", ip)
	}
}
