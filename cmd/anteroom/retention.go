package main

import "context"

// startRetention starts what deletes and proves, in each region whose work this process does.
func (s *service) startRetention(context.Context) error {
	err := s.eachWorkingRegion(func(r *regionRuntime) error {
		s.startLedger(r)
		return nil
	})
	if err != nil {
		return err
	}
	return s.startExports()
}
