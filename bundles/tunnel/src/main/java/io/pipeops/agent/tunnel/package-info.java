/**
 * Control-plane streams to the cluster API or to services, and back (protocol 3 and 4).
 *
 * <ul>
 *   <li>{@code TunnelFeature} is the component: it registers the handler, and drains.
 *   <li>{@code RequestHandler} takes messages on the link's reader thread and opens streams.
 *   <li>{@code HttpStream} is one request: a virtual thread that runs straight through it.
 *   <li>{@code Gate} is where that thread waits, and where cancel, loss and drain reach it.
 *   <li>{@code Route}, {@code Paths} and {@code HeaderRules} decide what may go where.
 *   <li>{@code SocketStream} is one WebSocket, {@code SocketRelay} its open phase, {@code
 *       SocketLink} the target's side of it, {@code SocketDialect} the peer's.
 *   <li>{@code StreamedBody} is the way in, {@code Answer} the way out.
 * </ul>
 */
package io.pipeops.agent.tunnel;
