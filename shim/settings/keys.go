package settings

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

// Names that the code itself looks for.
const (
	keyVault = "vault_url"
	keyProxy = "proxy"
	// keyFolders, where the policy has it, leaves nothing to the client.
	keyFolders = "file_folders"
	// Direct as a proxy means none, whatever the environment says.
	Direct = "none"
)

var errPasswordInFlag = errors.New("a password does not belong on the command line, where others can read it: put the proxy into the settings file")

// Key describes one setting.
type Key struct {
	Name string // in files, policy and status
	Flag string // without the dashes
	Env  string
	// Value is what a value looks like in help; "" if the flag alone says it.
	Value string
	About string // for people

	system []string // variables of other programs, read last
	read   func(s *Settings, text string) error
	show   func(s *Settings) string
}

// Keys lists all settings, in the order in which they are shown.
func Keys() []Key {
	return []Key{
		{
			Name: keyVault, Flag: "vault", Env: "COATCHECK_VAULT_URL", Value: "URL",
			About: "The vault's address, such as https://vault.example.com. The only setting that is needed.",
			read:  readVault, show: showVault,
		},
		{
			Name: keyProxy, Flag: "proxy", Env: "COATCHECK_PROXY", system: []string{"HTTPS_PROXY", "https_proxy"}, Value: "URL",
			About: "The proxy on the way to the vault, or none. One with a password belongs into the settings file.",
			read:  readProxy, show: showProxy,
		},
		{
			Name: "no_proxy", Flag: "no-proxy", Env: "COATCHECK_NO_PROXY", system: []string{"NO_PROXY", "no_proxy"}, Value: "HOSTS",
			About: "Hosts that are reached without the proxy, with commas between.",
			read:  func(s *Settings, text string) error { s.NoProxy = text; return nil },
			show:  func(s *Settings) string { return s.NoProxy },
		},
		{
			Name: "ca_file", Flag: "ca-file", Env: "COATCHECK_CA_FILE", Value: "FILE",
			About: "Certificates to trust besides those of the system, in PEM form.",
			read:  func(s *Settings, text string) error { return absolute(&s.CAFile, text) },
			show:  func(s *Settings) string { return s.CAFile },
		},
		{
			Name: "key_store", Flag: "key-store", Env: "COATCHECK_KEY_STORE", Value: "auto",
			About: "Where a new device key goes: auto, keychain or file.",
			read:  readStore, show: func(s *Settings) string { return string(s.KeyStore) },
		},
		{
			Name: "log_level", Flag: "log-level", Env: "COATCHECK_LOG_LEVEL", Value: "info",
			About: "How much is logged: debug, info, warn or error.",
			read:  readLevel, show: func(s *Settings) string { return strings.ToLower(s.LogLevel.String()) },
		},
		{
			Name: "log_dir", Flag: "log-dir", Env: "COATCHECK_LOG_DIR", Value: "FOLDER",
			About: "The folder of the log file; by default the system's own for logs.",
			read:  func(s *Settings, text string) error { return absolute(&s.LogDir, text) },
			show:  func(s *Settings) string { return s.LogDir },
		},
		{
			Name: "no_browser", Flag: "no-browser", Env: "COATCHECK_NO_BROWSER",
			About: "Never open a browser; show the address instead.",
			read:  func(s *Settings, text string) error { return readSwitch(&s.NoBrowser, text) },
			show:  func(s *Settings) string { return strconv.FormatBool(s.NoBrowser) },
		},
		{
			Name: keyFolders, Flag: "file-folders", Env: "COATCHECK_FILE_FOLDERS", Value: "PATHS",
			About: "Folders whose files may be attached and that may be downloaded to, besides the client's own, divided as in PATH. Those of the policy are the only ones.",
			read:  readFolders, show: func(s *Settings) string { return strings.Join(s.FileFolders, string(filepath.ListSeparator)) },
		},
		{
			Name: "no_files", Flag: "no-files", Env: "COATCHECK_NO_FILES",
			About: "Never use files of this computer.",
			read:  func(s *Settings, text string) error { return readSwitch(&s.NoFiles, text) },
			show:  func(s *Settings) string { return strconv.FormatBool(s.NoFiles) },
		},
	}
}

func find(name string) (Key, bool) {
	for _, key := range Keys() {
		if key.Name == name {
			return key, true
		}
	}
	return Key{}, false
}

func readVault(s *Settings, text string) error {
	vault, err := ParseVault(text)
	if err == nil {
		s.Vault = vault
	}
	return err
}

func showVault(s *Settings) string {
	if s.Vault == nil {
		return ""
	}
	return s.Vault.String()
}

func readProxy(s *Settings, text string) error {
	if text == Direct {
		s.Proxy = secret.String{}
		return nil
	}
	proxy := secret.New(text)
	if _, err := network.ParseProxy(proxy); err != nil {
		said, _ := usererr.From(err)
		return errors.New(lower(said.Message) + ": " + lower(said.Hint))
	}
	s.Proxy = proxy
	return nil
}

// showProxy leaves out the password.
func showProxy(s *Settings) string {
	u, err := network.ParseProxy(s.Proxy)
	if err != nil || u == nil {
		return ""
	}
	return u.Redacted()
}

func readStore(s *Settings, text string) error {
	switch store := device.Store(text); store {
	case device.StoreAuto, device.StoreKeychain, device.StoreFile:
		s.KeyStore = store
		return nil
	}
	return errors.New(`must be "auto", "keychain" or "file"`)
}

func readLevel(s *Settings, text string) error {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(text, level.String()) {
			s.LogLevel = level
			return nil
		}
	}
	return errors.New(`must be "debug", "info", "warn" or "error"`)
}

func readSwitch(to *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		*to = true
	case "false", "no", "0":
		*to = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}

func readFolders(s *Settings, text string) error {
	var folders []string
	for _, folder := range filepath.SplitList(text) {
		if folder == "" {
			continue
		}
		if !filepath.IsAbs(folder) || filepath.Dir(folder) == folder {
			return errors.New("must be whole paths of folders, from the root on, and not a whole disk")
		}
		folders = append(folders, filepath.Clean(folder))
	}
	s.FileFolders = folders
	return nil
}

// absolute takes a path. A relative one would mean another file for each
// client, as each starts the shim in a folder of its choice.
func absolute(to *string, text string) error {
	if text != "" && !filepath.IsAbs(text) {
		return errors.New("must be a whole path, from the root on")
	}
	*to = text
	return nil
}

func lower(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}
