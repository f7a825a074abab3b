package session

// Store is where the keeper keeps them.
func (k *Keeper) Store() Store { return k.cfg.Store }
