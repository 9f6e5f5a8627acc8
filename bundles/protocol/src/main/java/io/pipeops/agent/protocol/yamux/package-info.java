/**
 * Many byte streams over one ordered connection: HashiCorp's yamux, version 0, in both roles
 * (protocol 5.3), and the header our streams begin with (5.4). No sockets: the owner of the
 * connection feeds a {@link io.pipeops.agent.protocol.yamux.YamuxSession} and sends what it gives
 * to its {@link io.pipeops.agent.protocol.yamux.YamuxTransport}.
 */
@Version("1.1.0")
package io.pipeops.agent.protocol.yamux;

import org.osgi.annotation.versioning.Version;
