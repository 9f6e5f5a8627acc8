/**
 * The hub's certificates: a generated CA with a server certificate that renews itself, or an
 * operator's own. {@link io.pipeops.hub.tls.HubTls} is the way in.
 */
package io.pipeops.hub.tls;
