/**
 * The resumable link between our agent and our hub: which messages have arrived is counted on both
 * sides by their order alone, what is not acknowledged is kept, and a new connection goes on where
 * the last one was cut. Agreed by the extension {@link
 * io.pipeops.agent.protocol.Extensions#RESUME}; other peers never see any of it.
 *
 * <p>The hub counts what it sends after its {@code gateway_hello}, the agent what it sends after
 * its answer, and each what it receives after the other's of the two. Every whole text or binary
 * message counts, but for {@link io.pipeops.agent.protocol.LinkAck}, {@link
 * io.pipeops.agent.protocol.LinkResume} and {@link io.pipeops.agent.protocol.LinkResumed}; control
 * frames do not.
 */
@Version("1.0.0")
package io.pipeops.agent.protocol.resume;

import org.osgi.annotation.versioning.Version;
