package shim_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestConversation(t *testing.T) {
	v := newVault(t, false)
	c := start(t, v, nil)
	c.initialize("2025-06-18")
	c.echo("1", "hello")
	c.echo(`"two"`, "hello again")
	if err := c.end(2 * time.Second); err != nil {
		t.Errorf("Run = %v", err)
	}
	if v.saw("initialize") != 1 || v.saw("notifications/initialized") != 1 {
		t.Errorf("the vault saw %v", v.seen)
	}
}

func TestConversationInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, true)
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.echo("1", "hello")
		if err := c.end(2 * time.Second); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
