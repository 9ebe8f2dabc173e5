// Package repair heals a damaged store: from its own records where they are enough, and
// otherwise from another copy of the store or from its archive.
//
// A plan comes first ([MakePlan]). Its steps are applied to a view of the folder, and the code
// that opens a store judges the view, before a byte on the disk is changed. [Run] makes the plan
// and carries it out. What cannot be healed is left as it is, and listed in [Plan.Left]: package
// salvage can read what is left of it. A torn tail is no damage, and is cut by an open.
//
// The invariant: nothing is lost by a repair. A file is put in place only if it is proven to be
// the segment that it replaces, and the old file goes to the folder quarantine. So a repair can
// be cut off anywhere, and a wrong copy does no harm.
package repair
