/** Makes the settings reference of the manual, and a JSON schema for editors, from jars. */
package io.pipeops.agent.provision.reference;
