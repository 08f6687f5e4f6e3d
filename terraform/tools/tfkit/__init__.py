"""The tools that execute this Terraform without a cloud account. Start with README.md."""
