/**
 * The one outbound WebSocket (protocol 1 and 2). {@link io.pipeops.agent.link.LinkComponent} is the
 * OSGi side; {@link io.pipeops.agent.link.ConnectLoop} decides where to connect next; a {@link
 * io.pipeops.agent.link.LinkConnection} is one socket with everything that lives and dies with it:
 * {@link io.pipeops.agent.link.OutboundScheduler} for what goes out, {@link
 * io.pipeops.agent.link.Inbound} for what comes in.
 */
package io.pipeops.agent.link;
