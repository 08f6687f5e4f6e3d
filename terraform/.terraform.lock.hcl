# Pins the provider's version. It holds no hashes, because no registry was asked when it was made:
# the first real `terraform init` adds them, or `terraform providers lock` does (README, "Deploy").

provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.69.1"
  constraints = "~> 6.69"
}
