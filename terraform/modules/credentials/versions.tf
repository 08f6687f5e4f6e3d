terraform {
  # 1.11: write-only arguments (a password that never enters the state) and S3 native locking.
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.69"
    }
  }
}
