// Package iface is what the roles that answer on named interfaces do alike: they follow their interfaces, and
// they outlive a packet that nobody thought of. It owns no socket: what is to be done to those, a role says.
package iface
