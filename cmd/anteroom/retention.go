package main

import "context"

// startRetention starts what deletes and proves, in each region whose work this process does.
func (s *service) startRetention(context.Context) error {
	return s.eachWorkingRegion(func(r *regionRuntime) error {
		s.startLedger(r)
		return nil
	})
}
