/**
 * The program's entry: parses the command line, starts Felix with the libraries of the class path
 * and the bundles of the base feature, and ends the process with a meaningful exit code.
 *
 * <p>{@code Main} and the commands → {@code AgentFramework} → {@code LibraryConnector} (service
 * bundles of the class path) and {@code SystemPackages} (what bundles may import from it).
 */
package io.pipeops.agent.launcher;
