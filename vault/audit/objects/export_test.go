package objects

// OnSync lets a test see, and fail, what makes the names in a folder durable.
func (d *Dir) OnSync(sync func(folder string) error) { d.sync = sync }
