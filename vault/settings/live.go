package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
)

// Live reports whether a change of a setting counts without a restart.
func Live(key string) bool {
	switch {
	case key == "observability.log", key == "features.attachments":
		return true
	case key == "anomalies.suspension", key == "anomalies.country_file", strings.HasPrefix(key, "anomalies.webhook."):
		return false
	}
	return strings.HasPrefix(key, "access.") || strings.HasPrefix(key, "governance.") || strings.HasPrefix(key, "anomalies.")
}

// Stamp is another one for each text of the settings file.
func (o Options) Stamp() (string, error) {
	_, text, err := find(o.Files)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Level is the level of the log.
func (o Observability) Level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(strings.ToUpper(o.Log))); err != nil {
		return slog.LevelInfo // the settings were checked
	}
	return level
}
