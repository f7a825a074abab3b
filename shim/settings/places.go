package settings

import "path/filepath"

// Places are the files and folders of one user. An empty one is not used: a
// shim works without a home folder, as far as it can.
type Places struct {
	File   string // the user's settings
	Policy string // the company's
	State  string // the folder for device keys and what was learned from vaults
	Logs   string // the folder of log files
}

// On returns the places on an operating system, named as runtime.GOOS does.
// Local is the value of %LOCALAPPDATA%, which only Windows has.
//
// The XDG variables of Linux are not looked at: some clients pass them on and
// others do not, and one computer would become two devices.
func On(goos, home, local string) Places {
	p := Places{}
	switch goos {
	case "windows":
		if local == "" && home != "" {
			local = filepath.Join(home, "AppData", "Local")
		}
		p.Policy = `HKLM\Software\Policies\Coatcheck`
		if local == "" {
			return p
		}
		p.State = filepath.Join(local, "Coatcheck")
		p.File = filepath.Join(p.State, "config.yaml")
		p.Logs = filepath.Join(p.State, "Logs")
	case "darwin":
		p.Policy = "/Library/Application Support/Coatcheck/policy.yaml"
		if home == "" {
			return p
		}
		p.State = filepath.Join(home, "Library", "Application Support", "Coatcheck")
		p.File = filepath.Join(p.State, "config.yaml")
		p.Logs = filepath.Join(home, "Library", "Logs", "Coatcheck")
	default:
		p.Policy = "/etc/coatcheck/policy.yaml"
		if home == "" {
			return p
		}
		p.State = filepath.Join(home, ".local", "state", "coatcheck")
		p.File = filepath.Join(home, ".config", "coatcheck", "config.yaml")
		p.Logs = p.State
	}
	return p
}
