/**
 * The messages of the wire protocol (protocol 2 to 4 and 6) as values: parsing and writing, without
 * sockets or services. Whatever bytes a peer sends, nothing but a {@link
 * io.pipeops.agent.protocol.ProtocolException} comes out of a parser.
 */
@Version("1.1.0")
package io.pipeops.agent.protocol;

import org.osgi.annotation.versioning.Version;
