/**
 * What the hub remembers: clusters, tokens and a short log, in an embedded database in the state
 * directory or in PostgreSQL. {@link io.pipeops.hub.store.HubStore} is the way in; {@link
 * io.pipeops.hub.store.StateDirectory} keeps the few files beside it.
 */
package io.pipeops.hub.store;
